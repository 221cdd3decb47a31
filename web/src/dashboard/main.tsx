import { render } from "preact";
// With the page itself, not after it: the client loads it when it is first needed.
import "../client/state";
import { Dashboard } from "./dashboard";
import { LiveFleet } from "./live";
import "./style.css";

const root = document.getElementById("dashboard");
if (root) {
  const live = new LiveFleet();
  render(<Dashboard live={live} />, root);
  live.start();
}
