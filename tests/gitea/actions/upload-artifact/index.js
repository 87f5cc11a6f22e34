const fs = require("node:fs");
const path = require("node:path");
const artifact = require("@actions/artifact");
const core = require("@actions/core");
const glob = require("@actions/glob");

// Names in the artifact begin below this folder: the one searched, or what all searched places have in common.
function rootOf(places, files) {
  if (places.length === 1) {
    return files.length === 1 && files[0] === places[0] ? path.dirname(files[0]) : places[0];
  }
  const parts = places.map((place) => place.split(path.sep));
  const common = parts[0].findIndex((part, index) => parts.some((other) => other[index] !== part));
  return parts[0].slice(0, common < 0 ? undefined : common).join(path.sep) || path.sep;
}

async function main() {
  const name = core.getInput("name");
  const globber = await glob.create(core.getInput("path", { required: true }), { omitBrokenSymbolicLinks: true });
  const files = (await globber.glob()).filter((file) => !fs.statSync(file).isDirectory());
  if (files.length === 0) {
    const message = `No files were found with the provided path: ${core.getInput("path")}.`;
    const report = { error: core.setFailed, ignore: core.info }[core.getInput("if-no-files-found")] ?? core.warning;
    report(message);
    return;
  }
  const days = Number(core.getInput("retention-days"));
  const root = rootOf(globber.getSearchPaths(), files);
  const { failedItems } = await artifact
    .create()
    .uploadArtifact(name, files, root, { continueOnError: false, ...(days ? { retentionDays: days } : {}) });
  if (failedItems.length > 0) {
    throw new Error(`${failedItems.length} files of ${name} were not uploaded`);
  }
  core.info(`${files.length} files are in the artifact ${name}`);
}

main().catch((error) => core.setFailed(error.message));
