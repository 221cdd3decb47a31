/** The reference page says what the code does. */

import { expect, test } from "vitest";
import PAGE from "../../../docs/reference/client.md?raw";
import { MCRealtimeClient } from "../../src/realtime/realtime-client";
import { INDICATOR } from "../../src/realtime/realtime-dashboard";

test("every option is there, with its default", () => {
  const { config } = new MCRealtimeClient({ autoConnect: false });
  for (const [name, value] of Object.entries(config)) {
    const row = PAGE.split("\n").find((line) => line.startsWith("|") && line.includes(`\`${name}\``));
    expect(row, name).toBeDefined();
    if (["number", "boolean"].includes(typeof value) && name !== "autoConnect") {
      expect(row, name).toContain(`| ${value} |`);
    }
  }
});

test("every state is there, with its indicator", () => {
  for (const [state, text] of Object.entries(INDICATOR)) {
    expect(PAGE).toContain(`| \`${state}\` | \`${text}\` |`);
  }
});

test("every method is there", () => {
  const names = Object.getOwnPropertyNames(MCRealtimeClient.prototype).filter(
    (name) => !["constructor", "clientId", "state", "metrics"].includes(name),
  );
  for (const name of names) {
    expect(PAGE, name).toContain(`${name}(`);
  }
});
