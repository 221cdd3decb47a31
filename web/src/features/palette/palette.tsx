/** Ctrl-K: go to any view, agent or task by typing a part of its name. */

import { effect, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Office } from "../../dashboard/office";
import { Picture } from "../../parts/picture";
import { Portrait } from "../../parts/portrait";
import { actionEntries, type Entry, findEntries } from "./entries";

export function Palette({ office }: { office: Office }) {
  const { live, router, settings, queue, paletteOpen } = office;
  const dialog = useRef<HTMLDialogElement>(null);
  const typed = useSignal("");
  const chosen = useSignal(0);
  const found = useComputed<readonly Entry[]>(() => {
    if (!paletteOpen.value) {
      return [];
    }
    const go = (path: string) => router.go(path);
    const actions = actionEntries({
      go,
      newTask: () => {
        router.go("/tasks");
        queue.drafting.value = true;
      },
      switchTheme: () => {
        settings.theme.value = settings.night.peek() ? "light" : "dark";
      },
      dismissAlerts: live.alerts.value.length > 0 ? () => live.dismissAlerts() : null,
      pause: () => live.log.peek().pause(!live.log.peek().paused.peek()),
    });
    return findEntries(typed.value, actions, live.fleet.value?.agents ?? [], queue.tasks.value ?? [], go);
  });

  useEffect(() => {
    const open = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey) {
        event.preventDefault();
        paletteOpen.value = !paletteOpen.peek();
      } else if (event.key === "Escape" && paletteOpen.peek()) {
        // At once, where the browser would take its time, and refuse where it sees too many dialogs.
        event.preventDefault();
        paletteOpen.value = false;
      }
    };
    addEventListener("keydown", open);
    return () => removeEventListener("keydown", open);
  }, []);

  // Not useSignalEffect, which waits for a frame: a key that opens the dialog again would be answered by the event of its closing.
  useEffect(
    () =>
      effect(() => {
        const open = paletteOpen.value;
        const element = dialog.current;
        if (element && open !== element.open) {
          if (open) {
            typed.value = "";
            chosen.value = 0;
            element.showModal();
          } else {
            element.close();
          }
        }
      }),
    [],
  );

  function run(entry: Entry | undefined): void {
    if (entry) {
      paletteOpen.value = false;
      entry.act();
    }
  }

  function press(event: KeyboardEvent): void {
    const count = found.peek().length;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && count > 0) {
      event.preventDefault();
      chosen.value = (chosen.peek() + step + count) % count;
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(found.peek()[chosen.peek()]);
    }
  }

  const entries = found.value;
  const active = entries[chosen.value];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the Escape key closes a dialog by itself
    <dialog
      ref={dialog}
      class="panel palette"
      aria-label="Go to"
      onClose={() => {
        // Told a little later: it may have been opened again by then.
        if (dialog.current?.open === false) {
          paletteOpen.value = false;
        }
      }}
      onClick={(event) => {
        if (event.target === dialog.current) {
          paletteOpen.value = false;
        }
      }}
    >
      <input
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={active ? `palette-${active.key}` : undefined}
        aria-label="Go to a view, an agent or a task"
        placeholder="A view, an agent, a task …"
        autocomplete="off"
        spellcheck={false}
        value={typed.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
          chosen.value = 0;
        }}
        onKeyDown={press}
      />
      {entries.length === 0 && <p class="empty">Nothing here has these words.</p>}
      <div id="palette-list" class="palette-list" role="listbox" aria-label="Found">
        {entries.map((entry, place) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field above
          // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus, and names the option
          <div
            key={entry.key}
            id={`palette-${entry.key}`}
            class="palette-entry"
            role="option"
            aria-selected={place === chosen.value}
            onClick={() => run(entry)}
            onPointerMove={() => {
              chosen.value = place;
            }}
          >
            {entry.picture && <Picture name={entry.picture} />}
            {entry.face !== undefined && <Portrait id={entry.face} size="small" />}
            <span dir="auto">{entry.title}</span> <small dir="auto">{entry.detail}</small>
          </div>
        ))}
      </div>
      <p class="palette-keys">
        <kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Enter</kbd> go · <kbd>Esc</kbd> close
      </p>
    </dialog>
  );
}
