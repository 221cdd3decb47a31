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
}
