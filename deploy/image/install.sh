#!/bin/sh
# The steps of the image's build: the sources in $1 become a virtual environment at $2, with its bill of materials.
# The Containerfile runs it, and so does tests/deploy, so that it is proven where there is no container runtime.
# Needs python3; installs wheels that the locks name by hash, and nothing else. No compiler is called.
set -eu
source=$1
target=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

python3 -m venv "$work/tools"
pip="$work/tools/bin/pip"
"$pip" install --quiet --no-deps --require-hashes --only-binary :all: -r "$source/deploy/image/build.lock"
"$pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheel" "$source"

# Without pip: nothing is installed in a running container.
python3 -m venv --without-pip "$target"
"$pip" --python "$target/bin/python3" install --quiet --no-deps --require-hashes --only-binary :all: \
  -r "$source/deploy/image/requirements.lock"
"$pip" --python "$target/bin/python3" install --quiet --no-deps "$work"/wheel/*.whl
# The lock is whole: nothing that is needed is missing.
"$pip" --python "$target/bin/python3" check
"$target/bin/python3" "$source/tools/deploy/sbom.py" > "$target/sbom.cdx.json"
