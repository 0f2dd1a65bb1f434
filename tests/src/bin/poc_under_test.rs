//! The `poc` program again, where tests can find it.

fn main() -> std::process::ExitCode {
    poc_cli::main_impl()
}
