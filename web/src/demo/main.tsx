import { render } from "preact";
import { Demo } from "./demo";
import "../styles/style.css";
import "./demo.css";

const root = document.getElementById("demo");
if (root) {
  render(<Demo />, root);
}
