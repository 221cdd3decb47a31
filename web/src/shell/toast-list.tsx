import type { Toasts } from "../page/toasts";
import { Portrait } from "../parts/portrait";

const SIGNS = { plain: "•", info: "✓", warning: "▲", critical: "▲" } as const;

/** Told to screen readers as it comes: a status, which waits for its turn. */
export function ToastList({ toasts }: { toasts: Toasts }) {
  const more = toasts.more.value;
  return (
    <div class="toasts" role="status">
      {toasts.shown.value.map(({ key, text, tone, path, about }) => (
        <div key={key} class={`toast ${tone}${about === null ? "" : " spoken"}`}>
          {about === null ? (
            <span class="toast-sign" aria-hidden="true">
              {SIGNS[tone]}
            </span>
          ) : (
            <Portrait id={about} />
          )}
          <p>{path === null ? text : <a href={path}>{text}</a>}</p>
          <button type="button" class="close" onClick={() => toasts.close(key)}>
            <span aria-hidden="true">✕</span>
            <span class="unseen">Close this note</span>
          </button>
        </div>
      ))}
      {more > 0 && (
        <p class="toast-more">
          and {more} more{" "}
          <button type="button" class="plain" onClick={() => toasts.closeAll()}>
            Close all
          </button>
        </p>
      )}
    </div>
  );
}
