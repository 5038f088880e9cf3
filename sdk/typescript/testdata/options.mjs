// Has its options from no environment.
import { initPulse, span } from "@pulse/sdk";

initPulse({ apiKey: "pulse_sk_test", apiUrl: process.argv[2] });
span({ name: "step" }, () => 1);
