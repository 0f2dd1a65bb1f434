/* A stand-in for libnvidia-ml.so.1: as much of NVML as the probe calls, with the signatures and the
 * numbers of NVIDIA's nvml.h. What it answers is fixed when it is compiled:
 *
 *   INIT=n     nvmlInit_v2 returns n
 *   HANG       nvmlInit_v2 does not return
 *   GPUS=n     that many GPUs; number 1 is in MIG mode and has two instances
 *   LOST=n     GPU n fell off the bus
 *   OLD        a driver before 510: the newer functions are missing
 *   BARE       nothing beyond finding and naming GPUs
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef INIT
#define INIT 0
#endif
#ifndef GPUS
#define GPUS 3
#endif
#ifndef LOST
#define LOST -1
#endif

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, SHORT = 7, GPU_IS_LOST = 15 };

/* GPUs 0, 1, …; instances of GPU 1 are 100 and 102: place 1 is empty. */
typedef struct { int number; } device;
static device devices[128];

int nvmlInit_v2(void) {
#ifdef HANG
    for (;;) pause();
#endif
    for (int i = 0; i < 128; i++) devices[i].number = i;
    return INIT;
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = GPUS;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **found) {
    if (index >= GPUS) return INVALID;
    if ((int)index == LOST) return GPU_IS_LOST;
    *found = &devices[index];
    return SUCCESS;
}

int nvmlDeviceGetName(device *gpu, char *name, unsigned length) {
    if (gpu->number >= 100) snprintf(name, length, "NVIDIA A100-SXM4-40GB MIG 3g.20gb");
    else snprintf(name, length, "NVIDIA A100-SXM4-40GB");
    return SUCCESS;
}

#ifndef BARE
int nvmlDeviceGetUUID(device *gpu, char *uuid, unsigned length) {
    snprintf(uuid, length, "%s-%08d-stand-in", gpu->number >= 100 ? "MIG" : "GPU", gpu->number);
    return SUCCESS;
}

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
} pci_info;

int nvmlDeviceGetPciInfo_v3(device *gpu, pci_info *pci) {
    memset(pci, 0, sizeof *pci);
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", 0x3a + gpu->number);
    return SUCCESS;
}

#ifndef OLD
typedef struct {
    unsigned version;
    unsigned long long total, reserved, available, used;
} memory_v2;

int nvmlDeviceGetMemoryInfo_v2(device *gpu, memory_v2 *memory) {
    if (gpu->number == 2) return NOT_SUPPORTED;
    memory->total = 40960ull << 20;
    memory->used = 1024ull << 20;
    return SUCCESS;
}
#endif

int nvmlDeviceGetComputeMode(device *gpu, int *mode) {
    *mode = gpu->number == 2 ? 3 : 0;
    return SUCCESS;
}

int nvmlDeviceGetDisplayActive(device *gpu, int *active) {
    *active = gpu->number == 0;
    return SUCCESS;
}

int nvmlDeviceGetMigMode(device *gpu, unsigned *current, unsigned *pending) {
    if (gpu->number == 2) return NOT_SUPPORTED;
    *current = *pending = gpu->number == 1;
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(device *gpu, unsigned *count) {
    *count = gpu->number == 1 ? 7 : 0;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device *gpu, unsigned place, device **found) {
    if (gpu->number != 1 || (place != 0 && place != 2)) return NOT_FOUND;
    *found = &devices[100 + place];
    return SUCCESS;
}

typedef struct {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
} process;

#ifdef OLD
#define PROCESSES nvmlDeviceGetComputeRunningProcesses_v2
#else
#define PROCESSES nvmlDeviceGetComputeRunningProcesses_v3
#endif

int PROCESSES(device *gpu, unsigned *count, process *found) {
    unsigned room = *count;
    if (gpu->number != 0) {
        *count = 0;
        return SUCCESS;
    }
    *count = 2;
    if (room < 2) return SHORT;
    memset(found, 0, 2 * sizeof *found);
    found[0].pid = 4711;
    found[1].pid = 4712;
    return SUCCESS;
}
#endif
