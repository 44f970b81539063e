/* SPDX-License-Identifier: MIT */
/* What the interface asks about the machine. */
#include "config.h"
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include "cufile/gds.h"

static int open_topo(struct devio_topo **topo)
{
	int rc;

	pthread_rwlock_rdlock(&dv_gds.lock);
	rc = dv_gds.ctx ? devio_topo_open(dv_gds.ctx, NULL, topo) : -ECHILD;
	pthread_rwlock_unlock(&dv_gds.lock);
	return rc;
}

/* Of the GPU that is cuda:N. */
GDS_API struct gds_error cuFileGetBARSizeInKB(int gpu, size_t *kib)
{
	struct devio_topo_gpu info = DEVIO_OPTS(info);
	struct gds_error e = kib && gpu >= 0 ? dv_open_driver(false) :
					       dv_status(GDS_INVALID_VALUE, "get BAR size: invalid argument");
	struct devio_topo *topo;
	bool found = false;
	char spec[32];
	int rc;

	if (e.err)
		return e;
	rc = open_topo(&topo);
	if (rc)
		return dv_status_errno(rc, GDS_INTERNAL, "get BAR size");
	snprintf(spec, sizeof(spec), "cuda:%d", gpu);
	for (unsigned int i = 0; i < devio_topo_count(topo, DEVIO_TOPO_GPU) && !found; i++)
		found = !devio_topo_get_gpu(topo, i, &info) && !strcmp(info.spec, spec);
	if (found)
		*kib = (size_t)(info.bar >> 10);
	devio_topo_close(topo);
	return found ? e : dv_status(GDS_NO_DEVICE, "get BAR size: no such GPU");
}

static struct json_object *describe(const struct devio_topo *topo, unsigned int i)
{
	struct devio_topo_pci info = DEVIO_OPTS(info), up = DEVIO_OPTS(up);
	struct json_object *o = json_object_new_object();
	char class[16];

	if (devio_topo_get_pci(topo, i, &info))
		return o;
	snprintf(class, sizeof(class), "0x%06x", info.class_code);
	json_object_object_add(o, "bdf", json_object_new_string(info.bdf));
	json_object_object_add(o, "type", json_object_new_string(devio_pci_type_name(info.type)));
	json_object_object_add(o, "class", json_object_new_string(class));
	json_object_object_add(o, "driver", json_object_new_string(info.driver));
	json_object_object_add(o, "root", json_object_new_string(info.root));
	json_object_object_add(o, "numa_node", json_object_new_int(info.numa_node));
	if (info.parent >= 0 && !devio_topo_get_pci(topo, (unsigned int)info.parent, &up))
		json_object_object_add(o, "parent", json_object_new_string(up.bdf));
	return o;
}

/* The PCI functions, each with the bridge above it. */
GDS_API struct gds_error cuFileExportPCIeTopology(const char *path)
{
	struct gds_error e = path ? dv_open_driver(false) : dv_status(GDS_INVALID_VALUE, "export topology: NULL");
	struct json_object *root, *list;
	struct devio_topo *topo;
	int rc;

	if (e.err)
		return e;
	rc = open_topo(&topo);
	if (rc)
		return dv_status_errno(rc, GDS_INTERNAL, "export topology");
	root = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(root, "pci", list);
	for (unsigned int i = 0; i < devio_topo_count(topo, DEVIO_TOPO_PCI); i++)
		json_object_array_add(list, describe(topo, i));
	rc = json_object_to_file_ext(path, root, JSON_C_TO_STRING_PRETTY);
	json_object_put(root);
	devio_topo_close(topo);
	return rc ? dv_status(GDS_IO_ERROR, "export topology: cannot write the file") : e;
}
