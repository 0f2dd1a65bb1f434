//! The `poc` program.

fn main() -> std::process::ExitCode {
    poc_cli::main_impl()
}
