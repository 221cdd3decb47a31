import { render } from "preact";
import { Dashboard } from "./dashboard";
import { LiveFleet } from "./live";
import "./style.css";

const root = document.getElementById("dashboard");
if (root) {
  const live = new LiveFleet();
  render(<Dashboard live={live} />, root);
  live.start();
}
