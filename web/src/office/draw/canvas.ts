/** A canvas of a size, and the pen for it. */

/** Give a canvas a size, where it has another one, and return its pen; pixels stay pixels. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  if (!pen) {
    throw new Error("This browser cannot draw the office.");
  }
  pen.imageSmoothingEnabled = false;
  return pen;
}
