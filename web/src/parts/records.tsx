/** The views of what has happened and was said, each one click from the others. */

import "../styles/records.css";

const RECORDS = [
  { path: "/events", word: "Events" },
  { path: "/logs", word: "Logs" },
  { path: "/archive", word: "Conversations" },
  { path: "/search", word: "Search" },
] as const;

export function Records({ here }: { here: (typeof RECORDS)[number]["path"] }) {
  return (
    <nav class="records" aria-label="Records">
      {RECORDS.map(({ path, word }) => (
        <a key={path} href={path} aria-current={path === here ? "page" : undefined}>
          {word}
        </a>
      ))}
    </nav>
  );
}
