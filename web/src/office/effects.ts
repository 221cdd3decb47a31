/** What flies, rises and falls: figures, sparks, smoke, paper and confetti. Places are pixels of the office at scale 1. */

export interface Particle {
  x: number;
  y: number;
  vx: number;
  vy: number;
  /** Pixels a second a second; negative for what rises. */
  readonly fall: number;
  age: number;
  readonly life: number;
  readonly kind: "dot" | "smoke" | "text" | "paper";
  readonly colour: string;
  readonly size: number;
  readonly text: string;
}

const MOST = 400;
const CONFETTI = ["#ef6a5a", "#ffd75e", "#6cc04f", "#5f97e6", "#9a7fd6", "#ffffff"];

export class Effects {
  #particles: Particle[] = [];

  get all(): readonly Particle[] {
    return this.#particles;
  }

  step(seconds: number): void {
    for (const particle of this.#particles) {
      particle.age += seconds;
      particle.vy += particle.fall * seconds;
      particle.x += particle.vx * seconds;
      particle.y += particle.vy * seconds;
    }
    this.#particles = this.#particles.filter(({ age, life }) => age < life);
  }

  clear(): void {
    this.#particles = [];
  }

  /** A figure that pops up and floats away. */
  figure(x: number, y: number, text: string, colour: string): void {
    this.#add({ x, y, vx: 0, vy: -22, fall: 8, life: 1.6, kind: "text", colour, size: 1, text });
  }

  spark(x: number, y: number): void {
    const vx = (Math.random() - 0.5) * 30;
    this.#add({ x, y, vx, vy: -30, fall: 70, life: 0.7, kind: "dot", colour: "#ffe27a", size: 1, text: "" });
  }

  smoke(x: number, y: number): void {
    const vx = (Math.random() - 0.5) * 6;
    this.#add({
      x,
      y,
      vx,
      vy: -12,
      fall: -4,
      life: 1.8,
      kind: "smoke",
      colour: "#4a4456",
      size: 3,
      text: "",
    });
  }

  /** A sheet that is thrown from one place to another. */
  paper(x: number, y: number, toX: number, toY: number): void {
    const life = 1.1;
    const fall = 160;
    const vy = (toY - y) / life - (fall * life) / 2;
    this.#add({
      x,
      y,
      vx: (toX - x) / life,
      vy,
      fall,
      life,
      kind: "paper",
      colour: "#ffffff",
      size: 4,
      text: "",
    });
  }

  confetti(x: number, y: number): void {
    for (let piece = 0; piece < 36; piece += 1) {
      const colour = CONFETTI[piece % CONFETTI.length] ?? "#ffffff";
      const [vx, vy] = [(Math.random() - 0.5) * 90, -60 - Math.random() * 60];
      this.#add({ x, y, vx, vy, fall: 110, life: 1.8, kind: "dot", colour, size: 2, text: "" });
    }
  }

  #add(particle: Omit<Particle, "age">): void {
    if (this.#particles.length < MOST) {
      this.#particles.push({ ...particle, age: 0 });
    }
  }
}
