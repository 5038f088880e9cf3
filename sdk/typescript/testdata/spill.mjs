// Records a step; "wait" does not send it.
import { flush, initPulse, span } from "@pulse/sdk";

initPulse({ flushInterval: 60_000 });
span({ name: "step" }, () => 1);
if (process.argv[2] === "wait") {
  console.log("ready");
  setInterval(() => {}, 1000);
} else await flush();
