//! The Rust way to bridge an HCS callback: the text becomes a `String`, the event goes through an
//! unbounded channel of tokio, and the reader awaits it.  Functions for trampoline.c.
use std::ffi::c_void;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};

struct Event {
    kind: u32,
    detail: Option<String>,
}

pub struct Bridge {
    sender: UnboundedSender<Event>,
    receiver: UnboundedReceiver<Event>,
    runtime: Runtime,
}

/// What the foreign side gets as its context: the sender behind a pointer.
pub struct Context {
    sender: UnboundedSender<Event>,
}

#[no_mangle]
pub extern "C" fn rust_open() -> *mut Bridge {
    let (sender, receiver) = unbounded_channel();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    Box::into_raw(Box::new(Bridge { sender, receiver, runtime }))
}

/// # Safety
/// `bridge` is of `rust_open()`.
#[no_mangle]
pub unsafe extern "C" fn rust_context(bridge: *mut Bridge) -> *mut Context {
    Box::into_raw(Box::new(Context { sender: (*bridge).sender.clone() }))
}

/// # Safety
/// `context` is of `rust_context()` and not used after.
#[no_mangle]
pub unsafe extern "C" fn rust_context_close(context: *mut Context) {
    drop(Box::from_raw(context));
}

unsafe fn text_of(text: *const u16) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let mut length = 0;
    while *text.add(length) != 0 {
        length += 1;
    }
    Some(String::from_utf16_lossy(std::slice::from_raw_parts(text, length)))
}

/// The callback.
///
/// # Safety
/// `context` is of `rust_context()`, `text` is NULL or ends with a NUL.
#[no_mangle]
pub unsafe extern "C" fn rust_put(context: *mut c_void, kind: u32, text: *const u16) {
    let context = &*(context as *const Context);
    let _ = context.sender.send(Event { kind, detail: text_of(text) });
}

fn look_at(event: &Event) -> u64 {
    let detail = event.detail.as_deref().unwrap_or("");
    u64::from(event.kind) + detail.len() as u64 + detail.bytes().next().map_or(0, u64::from)
}

/// Await `n` events on this thread; the sum of what was seen of them.
///
/// # Safety
/// `bridge` is of `rust_open()`, one thread at a time; `tell` may be called from this thread.
#[no_mangle]
pub unsafe extern "C" fn rust_take(
    bridge: *mut Bridge,
    n: u64,
    tell: extern "C" fn(*mut c_void, u64),
    context: *mut c_void,
) -> u64 {
    let Bridge { receiver, runtime, .. } = &mut *bridge;
    let mut sum = 0u64;
    runtime.block_on(async {
        for i in 1..=n {
            match receiver.recv().await {
                Some(event) => sum = sum.wrapping_add(look_at(&event)),
                None => break,
            }
            tell(context, i);
        }
    });
    sum
}

/// # Safety
/// `bridge` is of `rust_open()` and not used after.
#[no_mangle]
pub unsafe extern "C" fn rust_close(bridge: *mut Bridge) {
    drop(Box::from_raw(bridge));
}
