/** Somebody's face, as it is on the floor; for those who see it. */

import { useEffect, useRef } from "preact/hooks";
import { loadSheets } from "../office/atlas";
import { Figure, lookOf } from "../office/look";

/** The part of a figure that is shown, in its own pixels: head and shoulders. */
const CROP = { x: 3, y: 4, width: 18, height: 20 };

export interface FaceProps {
  readonly id: string;
  /** How many pixels of the screen one pixel of the picture is. */
  readonly scale?: number;
}

export function Face({ id, scale = 3 }: FaceProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let gone = false;
    loadSheets()
      .then(({ people }) => {
        const pen = canvas.current?.getContext("2d");
        if (pen && !gone) {
          const figure = new Figure(lookOf(id), people);
          const [x, y] = figure.placeOf("stand-front", false);
          const { width, height } = CROP;
          pen.clearRect(0, 0, width, height);
          pen.drawImage(figure.sheet, x + CROP.x, y + CROP.y, width, height, 0, 0, width, height);
        }
      })
      // Without pictures there are still the names.
      .catch(() => {});
    return () => {
      gone = true;
    };
  }, [id]);
  return (
    <canvas
      ref={canvas}
      class="face"
      width={CROP.width}
      height={CROP.height}
      style={{
        width: `${CROP.width * scale}px`,
        height: `${CROP.height * scale}px`,
        imageRendering: "pixelated",
      }}
    />
  );
}
