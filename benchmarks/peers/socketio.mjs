// Socket.IO: io.emit() for every event, the transport left to the client (WebSocket at once).
// Prints its port. Newline-separated events that arrive on a plain WebSocket at /control go out one by one.

import { createServer } from "node:http";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";

const server = createServer();
const io = new Server(server, { destroyUpgrade: false });
const control = new WebSocketServer({ noServer: true });

control.on("connection", (socket) => {
  socket.on("message", (message) => {
    for (const event of message.toString().split("\n")) io.emit("event", JSON.parse(event));
  });
});

server.on("upgrade", (request, socket, head) => {
  if (request.url !== "/control") return; // Socket.IO's own
  control.handleUpgrade(request, socket, head, (client) => control.emit("connection", client, request));
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => console.log(server.address().port));
