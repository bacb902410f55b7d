//! Files that a person chooses or drops on the window. Only their paths pass through here; what is in them is for the
//! agent, which opens them itself.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use gtk::prelude::*;
use gtk::{FileChooserAction, FileChooserNative, ResponseType};
use tauri::{AppHandle, DragDropEvent, Manager as _};
use tracing::error;

use crate::bridge::{Bridge, DraggedFiles};
use crate::window;

/// What the dialog says.
const TITLE: &str = "Choose files";
const CHOOSE: &str = "_Choose";
const CANCEL: &str = "_Cancel";

/// Has the person choose files with the desktop's own dialog; none when they think better of it. Waits for them, so it
/// belongs on a thread that may block.
pub fn choose(app: &AppHandle) -> Vec<String> {
    let (say, chosen) = std::sync::mpsc::channel();
    let handle = app.clone();
    // GTK belongs to the main thread.
    let asked = app.run_on_main_thread(move || ask(&handle, move |paths| drop(say.send(paths))));
    if let Err(error) = asked {
        error!(%error, "no dialog for files");
    }
    // Also ends when the dialog goes with its window, and nobody is left to answer.
    chosen.recv().map(|paths| in_words(&paths)).unwrap_or_default()
}

fn ask(app: &AppHandle, answer: impl Fn(Vec<PathBuf>) + 'static) {
    let parent = app.get_webview_window(window::MAIN).and_then(|window| window.gtk_window().ok());
    let dialog =
        FileChooserNative::new(Some(TITLE), parent.as_ref(), FileChooserAction::Open, Some(CHOOSE), Some(CANCEL));
    dialog.set_select_multiple(true);
    dialog.set_modal(true);
    // Nothing else holds the dialog until the person has answered.
    let held = Rc::new(RefCell::new(Some(dialog.clone())));
    dialog.connect_response(move |dialog, response| {
        answer(if response == ResponseType::Accept { dialog.filenames() } else { Vec::new() });
        dialog.destroy();
        held.borrow_mut().take();
    });
    dialog.show();
}

/// Tells the window what is being dragged over it.
pub fn dragged(app: &AppHandle, event: &DragDropEvent) {
    let files = match event {
        DragDropEvent::Enter { paths, .. } if !paths.is_empty() => DraggedFiles::Over,
        DragDropEvent::Drop { paths, .. } => DraggedFiles::Dropped { paths: in_words(paths) },
        DragDropEvent::Leave => DraggedFiles::Gone,
        // Where exactly it is does not matter: the whole window takes it.
        _ => return,
    };
    app.state::<Bridge>().files(files);
}

/// Paths as text. One that is no UTF-8 becomes one that the agent does not find, and says so.
fn in_words(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
}
