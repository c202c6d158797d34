#pragma once
/// Where a model lies: a folder, or the name of one of Hugging Face's hub, looked up in the cache that its
/// tools keep on this computer. Nothing is downloaded.
#include <string>

namespace scoreact {

/// The folder of a model. `name` is a folder, or ORG/NAME or hf:ORG/NAME[@REVISION], of which the cache holds
/// a snapshot: CACHE/models--ORG--NAME/snapshots/COMMIT with COMMIT in CACHE/models--ORG--NAME/refs/REVISION
/// (main). CACHE is HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. A folder of that name
/// comes first. What is neither is returned as it is, so that whoever opens it names it. Throws
/// Error{missing_input} if hf: says that it is in the cache and it isn't, or the snapshot is not there.
std::string resolve_model_folder(const std::string& name);

/// Checks model_index.json of a pipeline's folder: that its class is StableDiffusionPipeline and that it is
/// not one of Flax. Values that are no [library, class] pair (flags, nulls, [null, null]) are passed over,
/// and so is a folder without the file. Throws Error{data}.
void check_model_index(const std::string& folder);

} // namespace scoreact
