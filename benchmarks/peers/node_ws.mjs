// The npm package `ws`, as its documentation broadcasts: a loop over `clients` with one send() each.
// Prints its port. Newline-separated events that arrive at /control go out one by one.

import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";

const server = createServer();
const subscribers = new WebSocketServer({ noServer: true });
const control = new WebSocketServer({ noServer: true });

control.on("connection", (socket) => {
  socket.on("message", (message) => {
    for (const event of message.toString().split("\n")) {
      for (const client of subscribers.clients) {
        if (client.readyState === WebSocket.OPEN) client.send(event);
      }
    }
  });
});

server.on("upgrade", (request, socket, head) => {
  const target = request.url === "/control" ? control : subscribers;
  target.handleUpgrade(request, socket, head, (client) => target.emit("connection", client, request));
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => console.log(server.address().port));
