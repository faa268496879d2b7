//! Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn random_get(bytes: *mut u8, size: usize) -> u32;
}

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Stream { id: String::new() }));
}}

struct Stream {
    id: String,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.id = self.get_http_request_header("x-correlation-id").unwrap_or_default();
        if !well_formed(&self.id) {
            let mut bytes = [0; 16];
            unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
            self.id = format!("{:032x}", u128::from_le_bytes(bytes));
            self.set_http_request_header("x-correlation-id", Some(&self.id));
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("x-correlation-id", Some(&self.id));
        Action::Continue
    }
}

fn well_formed(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|each| each == b'-' || each.is_ascii_alphanumeric())
}
