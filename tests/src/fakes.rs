use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::PocTest;

/// Writes an executable script.
pub fn write_program(path: &Utf8Path, text: &str) {
    fs_err::write(path, text).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A virtual environment of the real Python with something other than NVFlare in NVFlare's place.
#[derive(Clone, Copy, Debug)]
pub enum FakeFlare<'a> {
    /// Nothing.
    Absent,
    /// The metadata of this version and a package that can be imported, and no more.
    Version(&'a str),
    /// The metadata of 2.9.0 and a package with this as its `__init__.py`.
    Package(&'a str),
}

/// Makes such an environment in `world` and returns its interpreter.
pub fn fake_python(world: &PocTest, name: &str, flare: FakeFlare<'_>) -> Utf8PathBuf {
    let directory = world.root().join(name);
    let python = directory.join("bin/python");
    world
        .program("/usr/bin/env")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .args(["python3", "-m", "venv", "--without-pip", directory.as_str()])
        .success();
    let (version, init) = match flare {
        FakeFlare::Absent => return python,
        FakeFlare::Version(version) => (version, ""),
        FakeFlare::Package(init) => ("2.9.0", init),
    };
    let asked = world
        .program(&python)
        .args([
            "-c",
            "import sysconfig; print(sysconfig.get_path('purelib'), end='')",
        ])
        .success();
    let packages = Utf8Path::new(&asked.stdout);
    let metadata = packages.join(format!("nvflare-{version}.dist-info"));
    for directory in [&metadata, &packages.join("nvflare")] {
        fs_err::create_dir(directory).unwrap();
    }
    fs_err::write(
        metadata.join("METADATA"),
        format!("Metadata-Version: 2.1\nName: nvflare\nVersion: {version}\n"),
    )
    .unwrap();
    fs_err::write(packages.join("nvflare/__init__.py"), init).unwrap();
    python
}

/// Puts an `nvidia-smi` on the world's PATH that knows `count` GPUs and answers every query about them.
pub fn fake_nvidia_smi(world: &PocTest, count: u32) {
    write_program(
        &world.bin().join("nvidia-smi"),
        &format!("#!/bin/sh\nCOUNT={count}\n{NVIDIA_SMI}"),
    );
}

/// Answers `--query-gpu=FIELD,… --format=csv[,noheader][,nounits]` and `--list-gpus` / `-L`, as the
/// real one does for a plain GPU; other queries (`--query-compute-apps`) have no rows.
const NVIDIA_SMI: &str = r#"
fields= header=yes units=yes list=
for word in "$@"; do
    case $word in
        --query-gpu=*) fields=${word#*=} ;;
        --format=*) case $word in *noheader*) header= ;; esac; case $word in *nounits*) units= ;; esac ;;
        -L|--list-gpus) list=yes ;;
    esac
done
uuid() { printf 'GPU-0000000%d-1111-2222-3333-444444444444' "$1"; }
index=0
if [ -n "$list" ]; then
    while [ "$index" -lt "$COUNT" ]; do
        echo "GPU $index: NVIDIA Test GPU (UUID: $(uuid "$index"))"
        index=$((index + 1))
    done
    exit 0
fi
[ -n "$fields" ] || exit 0
mib=; [ -z "$units" ] || mib=' MiB'
[ -z "$header" ] || echo "$fields" | sed 's/,/, /g'
while [ "$index" -lt "$COUNT" ]; do
    row=
    for field in $(echo "$fields" | tr ',' ' '); do
        case $field in
            index) value=$index ;;
            uuid|gpu_uuid) value=$(uuid "$index") ;;
            name|gpu_name) value='NVIDIA Test GPU' ;;
            pci.bus_id|gpu_bus_id) value=$(printf '00000000:%02X:00.0' $((index + 1))) ;;
            memory.total) value="16384$mib" ;;
            memory.used) value="0$mib" ;;
            memory.free) value="16384$mib" ;;
            mig.mode.current) value='[N/A]' ;;
            compute_mode) value=Default ;;
            display_active|display_mode) value=Disabled ;;
            driver_version) value=570.00 ;;
            *) value='[N/A]' ;;
        esac
        row="${row:+$row, }$value"
    done
    echo "$row"
    index=$((index + 1))
done
"#;
