"""A small square in the corner of the screen, above everything, from which a file can be dragged: what a file manager does.

GTK 3. Prints "ready" once it is there.
"""

import pathlib
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, GLib, Gtk  # noqa: E402

address = pathlib.Path(sys.argv[1]).as_uri()
square = Gtk.Window(type=Gtk.WindowType.POPUP)
square.set_default_size(40, 40)
square.move(0, 0)
box = Gtk.EventBox()
square.add(box)
box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
box.drag_source_add_uri_targets()
box.connect("drag-data-get", lambda _widget, _context, data, _info, _time: data.set_uris([address]))
square.show_all()
GLib.idle_add(lambda: print("ready", flush=True))
Gtk.main()
