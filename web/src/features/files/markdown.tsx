/**
 * Markdown as elements of the page. What an agent wrote is foreign: HTML in it is shown as text, pictures are named and not
 * loaded, and a link leads only to where a link may lead.
 */

import { lexer, type Token, type Tokens } from "marked";
import type { ComponentChildren } from "preact";

/** Deeper lists and quotes are shown as they are written. */
const DEEPEST = 20;

export function Markdown({ text }: { text: string }) {
  return <>{blocks(lexer(text), 0)}</>;
}

function blocks(tokens: readonly Token[], depth: number): ComponentChildren[] {
  return tokens.map((token, place) => <Piece key={place} token={token} depth={depth + 1} />);
}

function Piece({ token, depth }: { token: Token; depth: number }): ComponentChildren {
  if (depth > DEEPEST) {
    return token.raw;
  }
  const inside = () => blocks(("tokens" in token && token.tokens) || [], depth);
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading": {
      // The sheet has its own headings above these.
      const Heading = `h${Math.min(6, (token as Tokens.Heading).depth + 3)}` as "h4" | "h5" | "h6";
      return <Heading>{inside()}</Heading>;
    }
    case "paragraph":
      return <p>{inside()}</p>;
    case "text":
      return "tokens" in token && token.tokens ? inside() : plain(token);
    case "code":
      return (
        <pre>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case "blockquote":
      return <blockquote>{inside()}</blockquote>;
    case "list": {
      const list = token as Tokens.List;
      const items = list.items.map((item, place) => (
        <li key={place}>
          {item.task && <input type="checkbox" checked={item.checked ?? false} disabled aria-label="done" />}
          {blocks(item.tokens, depth)}
        </li>
      ));
      return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table": {
      const { header, rows } = token as Tokens.Table;
      return (
        <table>
          <thead>
            <tr>
              {header.map((cell, place) => (
                <th key={place}>{blocks(cell.tokens, depth)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, number) => (
              <tr key={number}>
                {row.map((cell, place) => (
                  <td key={place}>{blocks(cell.tokens, depth)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
    }
    case "hr":
      return <hr />;
    case "br":
      return <br />;
    case "strong":
      return <strong>{inside()}</strong>;
    case "em":
      return <em>{inside()}</em>;
    case "del":
      return <del>{inside()}</del>;
    case "codespan":
      return <code>{plain(token)}</code>;
    case "link": {
      const { href } = token as Tokens.Link;
      return /^(https?|mailto):/i.test(href) ? (
        <a href={href} target="_blank" rel="noreferrer noopener">
          {inside()}
        </a>
      ) : (
        inside()
      );
    }
    case "image":
      return (
        <span class="picture-name">[{(token as Tokens.Image).text || (token as Tokens.Image).href}]</span>
      );
    case "checkbox":
      return null;
    default:
      return <>{token.raw}</>;
  }
}

function plain(token: Token): string {
  return "text" in token && typeof token.text === "string" ? token.text : token.raw;
}
