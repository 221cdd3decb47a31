const LONGEST_WAIT_MS = 500;

/**
 * Return a function that has `run` called once, with the next frame, however often it is called before that.
 * A page in the background has no frames; there it is called twice a second.
 */
export function oncePerFrame(run: () => void): () => void {
  let frame = 0;
  let timer = 0;
  const now = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    timer = 0;
    run();
  };
  return () => {
    if (timer === 0) {
      frame = requestAnimationFrame(now);
      timer = window.setTimeout(now, LONGEST_WAIT_MS);
    }
  };
}
