import { render } from "preact";
import { Demo } from "./demo";
import "../dashboard/style.css";
import "./demo.css";

const root = document.getElementById("demo");
if (root) {
  render(<Demo />, root);
}
