/** How much the state holds, whatever a log has in it; the same bounds as the server's fold. */

export const MAX_AGENTS = 20_000;
export const MAX_TASKS = 400_000;
export const MAX_LEADS = 400_000;
export const MAX_OPEN_QUESTIONS = 4_000;

/** As `sizeOf` counts. */
export const MAX_RECORD_BYTES = 65_536;
export const MAX_NOTE_BYTES = 4_096;

/** In UTF-8. */
export const MAX_ID_BYTES = 2_048;
export const MAX_WORD_BYTES = 64;

/** The largest number that is summed, and the largest sum. */
export const MAX_NUMBER = 1e15;

export const MAX_MODELS = 500;
export const MAX_SESSIONS = 200;
export const MAX_DAYS = 400;
export const MAX_AGENT_DAYS = 100;
export const MAX_HOSTS = 256;
export const MAX_ALERTS = 50;
export const KEPT_PER_KIND = 100;

/** How large all standups together are, as `sizeOf` counts. */
export const MAX_STANDUPS = 100;
export const MAX_STANDUPS_BYTES = 524_288;

/** The model under which uses are summed once there are `MAX_MODELS`. */
export const OTHER = "other";

/** How deep an event's data may be nested to be folded. */
export const MAX_DEPTH = 64;
