import type { Signal } from "@preact/signals";
import { useSignal } from "@preact/signals";
import type { Office } from "../../dashboard/office";
import { chime } from "../../page/chime";
import "../../styles/settings.css";
import { MOTIONS, THEMES } from "../../page/settings";
import { Person } from "./person";

const THEME_WORDS = { auto: "As the system", light: "Day office", dark: "Night office" } as const;
const MOTION_WORDS = { auto: "As the system", reduced: "Keep still" } as const;

/** What is kept in this browser alone, and applied at once. */
export function SettingsView({ office: { settings, live } }: { office: Office }) {
  const permission = useSignal(typeof Notification === "undefined" ? "missing" : Notification.permission);

  async function switchNotifications(): Promise<void> {
    if (settings.notifications.peek()) {
      settings.notifications.value = false;
      return;
    }
    // Browsers allow the question only as the answer to a click.
    permission.value = await Notification.requestPermission();
    settings.notifications.value = permission.value === "granted";
  }

  return (
    <section class="panel settings" aria-labelledby="settings-title">
      <h2 id="settings-title" class="ribbon">
        Settings
      </h2>
      <p class="column-note">What you choose here is kept in this browser alone.</p>
      <Choice legend="Light" value={settings.theme} of={THEMES} words={THEME_WORDS} />
      <Choice legend="Movement" value={settings.motion} of={MOTIONS} words={MOTION_WORDS} />
      <fieldset>
        <legend>Sounds</legend>
        <label>
          <input
            type="checkbox"
            checked={settings.sounds.value}
            onChange={(event) => {
              settings.sounds.value = event.currentTarget.checked;
              if (event.currentTarget.checked) {
                chime("warning");
              }
            }}
          />{" "}
          A short sound when something needs you
        </label>
      </fieldset>
      <fieldset>
        <legend>Notifications</legend>
        {permission.value === "missing" ? (
          <p>This browser has none, or not at this address.</p>
        ) : (
          <>
            <p>
              Critical alerts and questions of agents, shown by the browser while this page is in the
              background.
            </p>
            <button type="button" aria-pressed={settings.notifications.value} onClick={switchNotifications}>
              {settings.notifications.value ? "Switch them off" : "Switch them on"}
            </button>
            {permission.value === "denied" && (
              <p role="status">The browser forbids it for this page; its own settings can allow it again.</p>
            )}
          </>
        )}
      </fieldset>
      <Person />
      <fieldset>
        <legend>Keys</legend>
        <dl class="keys">
          <div>
            <dt>
              <kbd>Ctrl</kbd> <kbd>K</kbd>
            </dt>
            <dd>go to any view, agent or task</dd>
          </div>
          <div>
            <dt>
              <kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd> <kbd>↓</kbd>
            </dt>
            <dd>on the board: from card to card</dd>
          </div>
          <div>
            <dt>
              <kbd>Shift</kbd> <kbd>←</kbd> <kbd>→</kbd>
            </dt>
            <dd>on the board: move the card</dd>
          </div>
          <div>
            <dt>
              <kbd>M</kbd>
            </dt>
            <dd>on the board: the card’s menu</dd>
          </div>
        </dl>
      </fieldset>
      <p class="column-note">
        Workspace: <span dir="auto">{live.workspace.value ?? "not known"}</span>.{" "}
        <a href="/api/docs">Reference of this server</a>,{" "}
        <a href="/licences.txt">licences of what is in this page</a>
      </p>
    </section>
  );
}

interface ChoiceProps<Value extends string> {
  readonly legend: string;
  readonly value: Signal<Value>;
  readonly of: readonly Value[];
  readonly words: Readonly<Record<Value, string>>;
}

function Choice<Value extends string>({ legend, value, of, words }: ChoiceProps<Value>) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      <div class="choices">
        {of.map((one) => (
          <label key={one} class="choice">
            <input
              type="radio"
              name={legend}
              checked={value.value === one}
              onChange={() => {
                value.value = one;
              }}
            />{" "}
            {words[one]}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
