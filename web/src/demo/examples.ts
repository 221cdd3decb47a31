/** Events to try: one of each kind that may be told without a file of the workspace being written. */

import type { Data } from "../client/protocol";

export const EXAMPLES: readonly [readonly [string, Data], ...(readonly [string, Data])[]] = [
  ["custom:event", { hello: "world" }],
  ["agent:statusChange", { agentId: "demo", status: "busy", previousStatus: "idle" }],
  ["agent:activity", { agentId: "demo", fileCount: 3, lastActivity: "2026-01-01T12:00:00Z" }],
  ["agent:removed", { agentId: "demo" }],
  ["lead:added", { lead: { id: "demo-lead", name: "Ada & Co." } }],
  ["lead:scored", { leadId: "demo-lead", score: 85, previousScore: 60 }],
  ["lead:removed", { leadId: "demo-lead" }],
  ["system:alert", { level: "info", message: "This is only a test." }],
  ["file:change", { action: "created", path: "agents/demo/report.md", agentId: "demo", size: 2048 }],
];
