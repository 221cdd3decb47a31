/** The server's mark for a character that cannot be seen: its name in brackets that no text has by itself. */
const MARK = /(\u27e6[^\u27e6\u27e7]+\u27e7)/;

/**
 * A text of a review, with the marks set off from it.
 *
 * It is shown from left to right in the order of its characters, whatever their script: letters that are written from
 * right to left would turn the words and signs around them.
 */
export function Marked({ text }: { text: string }) {
  return (
    <bdo dir="ltr">
      {text
        .split(MARK)
        .map((piece, place) => (place % 2 === 1 ? <mark key={`${place}`}>{piece}</mark> : piece))}
    </bdo>
  );
}
