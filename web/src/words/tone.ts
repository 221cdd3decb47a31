/** How much of a person's attention a line asks for. */
export type Tone = "plain" | "info" | "warning" | "critical";
