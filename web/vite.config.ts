import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    outDir: "../src/missioncontrol/server/web",
    emptyOutDir: true,
    target: "es2022",
    // The server's policy allows nothing inline: no data URLs, no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ["index.html", "realtime-demo.html", "offline.html"] },
  },
  server: {
    // The sentences about events are the server's own.
    fs: { allow: [".."] },
    // `npm run dev` shows the page's sources over a server that runs beside it.
    proxy: { "/api": { target: "http://127.0.0.1:3001", ws: true } },
  },
  test: {
    include: ["tests/**/*.test.ts"],
  },
});
