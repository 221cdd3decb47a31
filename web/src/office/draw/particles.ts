/** What shines in any light: thoughts over heads, and what flies. */

import { drawThought } from "../bubbles";
import { project, type Scene } from "../scene";

/** What shines in any light: who calls, and what flies. */
export function drawEffects(pen: CanvasRenderingContext2D, office: Scene, still: boolean): void {
  for (const person of office.people.values()) {
    if (person.here) {
      const head = project(
        { x: person.x + 0.5, y: person.y + 0.5 },
        person.pose(still).lift + (person.seated ? 20 : 25),
      );
      drawThought(pen, person, head, still ? null : office.time);
    }
  }
  for (const particle of office.effects.all) {
    const left = 1 - particle.age / particle.life;
    const [x, y] = [Math.round(particle.x), Math.round(particle.y)];
    pen.globalAlpha = Math.min(1, left * 2);
    pen.fillStyle = particle.colour;
    if (particle.kind === "smoke") {
      const size = Math.round(particle.size + particle.age * 3);
      pen.globalAlpha = left * 0.6;
      pen.fillRect(x - size / 2, y - size / 2, size, size);
    } else if (particle.kind === "paper") {
      pen.fillStyle = "#3a2233";
      pen.fillRect(x - 3, y - 4, 6, 8);
      pen.fillStyle = "#ffffff";
      pen.fillRect(x - 2, y - 3, 4, 6);
    } else if (particle.kind === "dot") {
      pen.fillRect(x, y, particle.size, particle.size);
    }
  }
  pen.globalAlpha = 1;
}
