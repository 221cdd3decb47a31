/** The server's mark for a character that cannot be seen: its name in brackets that no text has by itself. */
const MARK = /(\u27e6[^\u27e6\u27e7]+\u27e7)/;

/** A text of a review, with the marks set off from it. */
export function Marked({ text }: { text: string }) {
  return text
    .split(MARK)
    .map((piece, place) => (place % 2 === 1 ? <mark key={`${place}`}>{piece}</mark> : piece));
}
