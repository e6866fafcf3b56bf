// bullmq_calls COUNT WINDOW SIZE PORT: calls of an echo over BullMQ, WINDOW in flight, between this process
// and a worker of its own that has 64 jobs at once, through the Redis at PORT. Prints calls per second.
//
// The caller waits for each result by QueueEvents. Finished jobs are kept for a while, as one that is
// gone cannot be asked for its result. NODE_PATH leads to the library.
"use strict";
const { fork } = require("node:child_process");
const { Queue, QueueEvents, Worker } = require("bullmq");

const [count, window, size, port] = process.argv.slice(2).map(Number);
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };

async function work() {
    const worker = new Worker("calls", async (job) => job.data, {
        connection,
        concurrency: 64,
        removeOnComplete: { age: 30 },
    });
    await worker.waitUntilReady();
    process.send("ready");
    process.on("disconnect", () => process.exit(0));
}

async function run(queue, events, total, data) {
    const begun = process.hrtime.bigint();
    let left = total;
    const one = async () => {
        while (left-- > 0) {
            const job = await queue.add("echo", { data });
            const result = await job.waitUntilFinished(events, 60000);
            if (result.data !== data) throw new Error("another answer");
        }
    };
    await Promise.all(Array.from({ length: window }, one));
    return Number(process.hrtime.bigint() - begun) / 1e9;
}

async function call() {
    const child = fork(__filename, [...process.argv.slice(2), "work"]);
    await new Promise((resolve) => child.once("message", resolve));
    const queue = new Queue("calls", { connection });
    const events = new QueueEvents("calls", { connection });
    queue.setMaxListeners(0); // each call that waits listens
    events.setMaxListeners(0);
    await events.waitUntilReady();
    const data = "x".repeat(size);
    await run(queue, events, Math.min(count, 1000), data);
    console.log(Math.round(count / (await run(queue, events, count, data))));
    child.disconnect();
    process.exit(0);
}

(process.argv[6] === "work" ? work() : call()).catch((error) => {
    console.error(`bullmq_calls: ${error.message}`);
    process.exit(1);
});
