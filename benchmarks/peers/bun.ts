// Bun's own publish (uWebSockets): every subscriber is in one topic, an event is one publish() call.
// Prints its port. Newline-separated events that arrive at /control go out one by one.

type Data = { control: boolean };

const server = Bun.serve<Data, never>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const control = new URL(request.url).pathname === "/control";
    if (server.upgrade(request, { data: { control } })) return undefined;
    return new Response("a WebSocket is expected here\n", { status: 426 });
  },
  websocket: {
    open(socket) {
      if (!socket.data.control) socket.subscribe("events");
    },
    message(socket, message) {
      if (!socket.data.control) return;
      for (const event of String(message).split("\n")) server.publish("events", event);
    },
  },
});

console.log(server.port);
