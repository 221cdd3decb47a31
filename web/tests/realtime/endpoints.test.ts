import { expect, test } from "vitest";
import { type Address, endpointsFor } from "../../src/realtime/endpoints";

const USUAL = "ws://localhost:3002/api/ws http://localhost:3001";

test.each<[string, Address, string | undefined, string | undefined, string[]]>([
  [
    "the page's own server",
    {},
    "http://127.0.0.1:3001/",
    undefined,
    ["ws://127.0.0.1:3001/api/ws http://127.0.0.1:3001"],
  ],
  [
    "a page that lies elsewhere",
    {},
    "http://localhost:8080/x.html",
    "http://localhost:8080/js/realtime.js",
    ["ws://localhost:8080/api/ws http://localhost:8080", USUAL],
  ],
  [
    "a script from the server",
    {},
    "http://localhost:8080/",
    "http://office:3001/js/realtime.js",
    ["ws://localhost:8080/api/ws http://localhost:8080", "ws://office:3001/api/ws http://office:3001", USUAL],
  ],
  [
    "a secure page",
    {},
    "https://fleet.example/",
    undefined,
    [
      "wss://fleet.example/api/ws https://fleet.example",
      "wss://fleet.example:3002/api/ws https://fleet.example:3001",
    ],
  ],
  ["a file", {}, "file:///home/page.html", "file:///home/js/realtime.js", [USUAL]],
  ["no page at all", {}, undefined, undefined, [USUAL]],
  [
    "both addresses",
    { wsUrl: "ws://a:1/api/ws", apiUrl: "http://b:2/" },
    "http://page/",
    undefined,
    ["ws://a:1/api/ws http://b:2"],
  ],
  ["the WebSocket alone", { wsUrl: "wss://a/api/ws" }, undefined, undefined, ["wss://a/api/ws https://a"]],
  ["the API alone", { apiUrl: "http://b:2" }, undefined, undefined, ["ws://b:2/api/ws http://b:2"]],
])("where the server is looked for: %s", (_, address, page, script, expected) => {
  const found = endpointsFor(address, page, script).map(({ wsUrl, apiUrl }) => `${wsUrl} ${apiUrl}`);
  expect(found).toEqual(expected);
});
