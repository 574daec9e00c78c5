#!/usr/bin/env bash
# Assembles the directory to serve, then becomes tritonserver. Arguments are added to its command line.
#
#   PADDLEX_TRITON_PIPELINES   pipelines to load, by name or as PaddleX's pipeline files, separated by commas or
#                              spaces                                                   OCR
#   PADDLEX_TRITON_PRESETS     presets, PRESET or PIPELINE=PRESET, separated likewise   PaddleX's
#   PADDLEX_TRITON_MODEL_NAMES single networks instead, STEP=NETWORK or STEP=NETWORK,OTHER, separated likewise
#   PADDLEX_TRITON_DEVICE      where networks run, as PaddleX writes it: cpu, gpu:0, gpu:0,1; wins over pipeline files
#   PADDLEX_TRITON_FLAVOUR     configuration flavour: cpu, gpu, ...                     the device's, or cpu
#   PADDLEX_TRITON_NETWORKS    folder with the exported networks, may be read-only      /networks
#   PADDLEX_TRITON_MODELS      directory to assemble; its parent must be writable       /var/lib/paddlex-triton/models
#   PADDLEX_TRITON_SHM_START   bytes of /dev/shm that each module instance starts with  16777216
#   PADDLEX_TRITON_SHM_GROWTH  bytes by which one grows when a page does not fit        16777216
set -euo pipefail

networks=${PADDLEX_TRITON_NETWORKS:-/networks}
models=${PADDLEX_TRITON_MODELS:-/var/lib/paddlex-triton/models}
# Triton's default is 1 MiB. A page of 5 megapixels is 15 MB, so most pages fit without growing.
shm_start=${PADDLEX_TRITON_SHM_START:-16777216}
shm_growth=${PADDLEX_TRITON_SHM_GROWTH:-16777216}

options=()
# add OPTION LIST: the option once for every entry of a list.
add() {
  local entry entries
  read -r -a entries <<<"$(tr ',\n' '  ' <<<"$2")"
  for entry in "${entries[@]}"; do
    options+=("$1" "$entry")
  done
}
add --pipeline "${PADDLEX_TRITON_PIPELINES:-OCR}"
add --preset "${PADDLEX_TRITON_PRESETS:-}"
# A comma may also separate networks of one step: the command reads the list as it is.
if [[ -n ${PADDLEX_TRITON_MODEL_NAMES:-} ]]; then
  options+=(--model "$PADDLEX_TRITON_MODEL_NAMES")
fi
if [[ -n ${PADDLEX_TRITON_DEVICE:-} ]]; then
  options+=(--device "$PADDLEX_TRITON_DEVICE")
fi
if [[ -n ${PADDLEX_TRITON_FLAVOUR:-} ]]; then
  options+=(--flavour "$PADDLEX_TRITON_FLAVOUR")
fi

# Ends the container, with the export command to run, if a network is missing.
paddlex-triton assemble "${options[@]}" --networks "$networks" "$models"

exec tritonserver \
  --model-repository="$models" \
  --model-control-mode=none \
  --exit-on-error=true \
  --strict-readiness=true \
  --exit-timeout-secs=30 \
  --backend-config="python,shm-default-byte-size=$shm_start" \
  --backend-config="python,shm-growth-byte-size=$shm_growth" \
  "$@"
