// First: what a view brings of its own comes after what all share, and wins.
import "../styles/style.css";

import { render } from "preact";
// With the page itself, not after it: the client loads it when it is first needed.
import "../state";
import { Office } from "../dashboard/office";
import { followLink } from "../page/signing-in";
import { Dashboard } from "./dashboard";

const root = document.getElementById("dashboard");
if (root) {
  // For the page that is shown while the server is out of reach. Where it is not allowed, the browser has one of its own.
  addEventListener("load", () => {
    navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
  });
  // First: the connection is made with the session.
  await followLink();
  const office = new Office();
  render(<Dashboard office={office} />, root);
  office.start();
}
