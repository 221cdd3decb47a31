/**
 * Answers for a server that is out of reach, with one page that says so. Nothing else is kept: a dashboard from a cache
 * would show what was, and call it the present.
 *
 * Source: https://www.w3.org/TR/service-workers/
 */

const worker = self as unknown as ServiceWorkerGlobalScope;

const CACHE = "offline";
const PAGE = "/offline.html";
/** How the names of its script, style and picture begin; the rest of each is a hash of what is in it. */
const ASSETS = "/assets/offline-";
const ICON = "/icon.svg";
/** What the page loads, by its own words. */
const REFERENCES = /(?:src|href)="(\/[^"]+)"/g;
/** What a proxy says when the server behind it is gone. */
const GONE: ReadonlySet<number> = new Set([502, 504]);

let fresh = false;

/** Keep the page, and all that it loads, as they are now. */
async function keep(): Promise<void> {
  const answer = await fetch(PAGE, { cache: "no-cache" });
  if (!answer.ok) {
    throw new Error(`${PAGE}: ${answer.status}`);
  }
  const page = await answer.clone().text();
  const paths = [...page.matchAll(REFERENCES)].flatMap(([, path]) => path ?? []);
  const cache = await caches.open(CACHE);
  await cache.addAll(paths);
  await cache.put(PAGE, answer);
  const wanted = new Set([PAGE, ...paths]);
  const kept = await cache.keys();
  await Promise.all(
    kept.filter(({ url }) => !wanted.has(new URL(url).pathname)).map((old) => cache.delete(old)),
  );
  fresh = true;
}

async function navigate(event: FetchEvent): Promise<Response> {
  try {
    const answer: Response = (await event.preloadResponse) ?? (await fetch(event.request));
    if (!GONE.has(answer.status)) {
      if (!fresh) {
        // Once in the life of this worker, which is short: the page may have a newer build.
        event.waitUntil(keep().catch(() => {}));
      }
      return answer;
    }
  } catch {
    // It is out of reach.
  }
  return (await caches.match(PAGE, { ignoreVary: true })) ?? Response.error();
}

worker.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(worker.registration.navigationPreload.enable().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const { mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (origin !== worker.location.origin || pathname.startsWith("/api/")) {
    return;
  }
  if (mode === "navigate") {
    event.respondWith(navigate(event));
  } else if (pathname.startsWith(ASSETS) || pathname === ICON) {
    // The answer varies by origin and encoding in name only: a hash has one content.
    event.respondWith(
      caches.match(event.request, { ignoreVary: true }).then((kept) => kept ?? fetch(event.request)),
    );
  }
});

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { path } = event.notification.data as { path: string };
  event.waitUntil(open(path));
});

async function open(path: string): Promise<void> {
  const [page] = await worker.clients.matchAll({ type: "window" });
  if (page) {
    await (await page.focus()).navigate(path);
  } else {
    await worker.clients.openWindow(path);
  }
}
