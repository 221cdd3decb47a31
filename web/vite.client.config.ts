/**
 * What has a name of its own, which pages and browsers know: the browser client (the classic script, the module, the fold
 * that both load when the state is wanted, the script of the shared worker) and the service worker. One build for each.
 */

import { resolve } from "node:path";
import { defineConfig } from "vite";

const SCRIPTS = {
  classic: { entry: "src/realtime/classic.ts", format: "iife", file: "js/realtime.js" },
  module: { entry: "src/realtime/index.ts", format: "es", file: "js/realtime.mjs" },
  state: { entry: "src/state/index.ts", format: "es", file: "js/realtime-state.mjs" },
  worker: { entry: "src/client/worker.ts", format: "iife", file: "js/realtime-worker.js" },
  offline: { entry: "src/service-worker/service-worker.ts", format: "iife", file: "service-worker.js" },
} as const;

const FOLD = /\/state\/index$/;

export default defineConfig(({ mode }) => {
  const script = SCRIPTS[mode as keyof typeof SCRIPTS];
  return {
    publicDir: false,
    // Only a module knows where it came from.
    define: script.format === "iife" ? { "import.meta.url": "undefined" } : {},
    build: {
      outDir: "../src/missioncontrol/server/web",
      emptyOutDir: false,
      target: "es2022",
      lib: {
        entry: resolve(import.meta.dirname, script.entry),
        formats: [script.format],
        name: "missionControl",
        fileName: () => script.file,
      },
      rolldownOptions: {
        // Beside the scripts, under its own name.
        external: (id: string) => FOLD.test(id) && script.entry !== SCRIPTS.state.entry,
        output: { paths: (id: string) => (FOLD.test(id) ? "./realtime-state.mjs" : id) },
      },
    },
  };
});
