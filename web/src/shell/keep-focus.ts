/** What has the focus may go away with what it was for; then whoever uses keys goes on in the view. */

/** Watch a page; `rescue` is called when the focused element was taken away. Returns what ends that. */
export function keepFocus(root: Node, rescue: () => void): () => void {
  let last: EventTarget | null = null;
  const remember = ({ target }: FocusEvent) => {
    last = target;
  };
  // A click on nothing takes the focus away too, but the element stays: then it is meant.
  const watch = new MutationObserver(() => {
    if (last instanceof Node && !last.isConnected) {
      last = null;
      if (document.activeElement === document.body) {
        rescue();
      }
    }
  });
  document.addEventListener("focusin", remember);
  watch.observe(root, { childList: true, subtree: true });
  return () => {
    document.removeEventListener("focusin", remember);
    watch.disconnect();
  };
}
