// SPDX-License-Identifier: GPL-2.0-only
/*
 * VHDX virtual disk images as block devices: init and exit.
 */
#include <linux/module.h>

#include "control.h"
#include "debugfs.h"
#include "device.h"
#include "pages.h"

static int __init vhdx_init(void)
{
	int ret;

	ret = vhdx_pages_setup();
	if (ret)
		return ret;
	vhdx_debugfs_init();
	ret = vhdx_device_init();
	if (ret)
		goto out_exit_debugfs;
	ret = vhdx_control_init();
	if (ret)
		goto out_exit_device;
	return 0;

out_exit_device:
	vhdx_device_exit();
out_exit_debugfs:
	vhdx_debugfs_exit();
	vhdx_pages_teardown();
	return ret;
}

static void __exit vhdx_exit(void)
{
	vhdx_control_exit();
	vhdx_device_exit();
	vhdx_debugfs_exit();
	vhdx_pages_teardown();
}

module_init(vhdx_init);
module_exit(vhdx_exit);

MODULE_DESCRIPTION("VHDX virtual disk images as block devices");
MODULE_VERSION(VHDX_VERSION);
MODULE_LICENSE("GPL");
