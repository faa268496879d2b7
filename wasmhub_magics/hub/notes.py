"""The keys of annotations: those of the OCI image specification first, then those of products, then ours."""

from __future__ import annotations

TITLE = "org.opencontainers.image.title"
DESCRIPTION = "org.opencontainers.image.description"
CREATED = "org.opencontainers.image.created"
VERSION = "org.opencontainers.image.version"
LICENSES = "org.opencontainers.image.licenses"
AUTHORS = "org.opencontainers.image.authors"
URL = "org.opencontainers.image.url"
DOCUMENTATION = "org.opencontainers.image.documentation"
SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
VENDOR = "org.opencontainers.image.vendor"

KEYWORDS = "io.artifacthub.package.keywords"
CATEGORY = "io.artifacthub.package.category"

VARIANT = "module.wasm.image/variant"
RUNTIME_TYPE = "module.wasm.runtime/type"
ABI = "module.wasm.runtime/abi_version"

MODULE_DIGEST = "wasmhub.filter/digest"
MODULE_SIZE = "wasmhub.filter/size"
ROOT_ID = "wasmhub.filter/root-id"
LANGUAGE = "wasmhub.filter/language"
TOOLCHAIN = "wasmhub.filter/toolchain"
FLAGS = "wasmhub.filter/flags"
SOURCE_DIGEST = "wasmhub.filter/source-digest"
VERDICT = "wasmhub.filter/verdict"
EDITION = "wasmhub.about/edition"
