import { render } from "preact";
// With the page itself, not after it: the client loads it when it is first needed.
import "../client/state";
import { Dashboard } from "./dashboard";
import { Office } from "./office";
import "./style.css";

const root = document.getElementById("dashboard");
if (root) {
  const office = new Office();
  render(<Dashboard office={office} />, root);
  office.start();
  // For the page that is shown while the server is out of reach. Where it is not allowed, the browser has one of its own.
  addEventListener("load", () => {
    navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
  });
}
