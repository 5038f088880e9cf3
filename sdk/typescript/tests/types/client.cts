import sdk = require("@pulse/sdk");
sdk.initPulse({ apiKey: "pulse_sk_x" });
export const flushed: Promise<boolean> = sdk.flush();
