/** What part of the office is seen, and how large. */

export interface View {
  /** Device pixels for one pixel of the office: a whole number, but for what is seen from afar, or on the way there. */
  readonly zoom: number;
  /** Which pixel of the office lies at the canvas's upper left corner. */
  readonly x: number;
  readonly y: number;
}
