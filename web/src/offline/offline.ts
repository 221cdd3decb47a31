/** The page for a server that is out of reach: it says so, and comes back with the server. */

import "./offline.css";

const PAUSE_MS = 3000;

const address = document.getElementById("address");
const trial = document.getElementById("trial");

async function tryAgain(): Promise<void> {
  try {
    const answer = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(PAUSE_MS) });
    // It is there, whatever it says of itself; a proxy that has lost it says 502 or 504.
    if (answer.status !== 502 && answer.status !== 504) {
      location.reload();
      return;
    }
  } catch {
    // Not yet.
  }
  if (trial) {
    const time = new Date().toLocaleTimeString(undefined, { hour12: false });
    trial.textContent = navigator.onLine
      ? `Trying again every few seconds; last at ${time}.`
      : "This device is offline. Trying again when it is not.";
  }
  setTimeout(tryAgain, PAUSE_MS);
}

if (address) {
  address.textContent = location.host;
}
document.getElementById("again")?.addEventListener("click", () => location.reload());
addEventListener("online", () => location.reload());
setTimeout(tryAgain, PAUSE_MS);
