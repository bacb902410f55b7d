#!/bin/sh
# Draws every PNG of icons/ from the SVG sources beside this script. Needs rsvg-convert (librsvg2-bin).
set -eu
cd "$(dirname "$0")"
draw() { rsvg-convert --width "$2" --height "$2" --format png --output "../$3" "$1"; }
draw holdfast.svg 32 32x32.png
draw holdfast.svg 128 128x128.png
draw holdfast.svg 256 128x128@2x.png
draw holdfast.svg 512 icon.png
for state in holding needs-you renewing paused locked; do
    # Twice the 22 px of the drawing: hosts halve it, and sharp displays need it.
    draw "tray-$state.svg" 44 "tray-$state.png"
done
