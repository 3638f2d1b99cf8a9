#!/usr/bin/python3
"""The browser that WebKitWebDriver drives: WebKitGTK with a profile that stays, which MiniBrowser's automation mode lacks.

Called with the profile's folder and the path of a socket for orders: light, dark, die, reload-bypassing-cache.
"""
import ctypes, os, signal, socket, sys

import gi
gi.require_version('Gtk', '3.0')
gi.require_version('WebKit2', '4.1')
from gi.repository import GLib, Gtk, WebKit2

ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # End with the driver, however it ends.
profile, orders = sys.argv[1:3]
data = WebKit2.WebsiteDataManager(base_data_directory=f'{profile}/data', base_cache_directory=f'{profile}/cache')
data.get_cookie_manager().set_persistent_storage(f'{profile}/cookies', WebKit2.CookiePersistentStorage.SQLITE)
context = WebKit2.WebContext.new_with_website_data_manager(data)
context.set_automation_allowed(True)
views = []


def open_view(*_):
    view = WebKit2.WebView(web_context=context, is_controlled_by_automation=True)
    window = Gtk.Window(default_width=390, default_height=844, decorated=False)
    window.add(view)
    window.show_all()
    view.connect('close', lambda _: (views.remove(view), window.destroy()))
    views.append(view)
    return view


def started(_, session):
    session.connect('create-web-view', open_view)


def is_ours(process):
    """Of a page or the network: whatever this program has started."""
    try:
        with open(f'/proc/{process}/stat') as stat:
            return int(stat.read().rsplit(')', 1)[1].split()[1]) == os.getpid()
    except OSError:
        return False


def take_order(*_):
    order = inbox.recv(100).decode()
    if order == 'die':
        for process in filter(str.isdigit, os.listdir('/proc')):
            if is_ours(process):
                os.kill(int(process), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == 'reload-bypassing-cache':
        views[-1].reload_bypass_cache()
    else:
        Gtk.Settings.get_default().set_property('gtk-application-prefer-dark-theme', order == 'dark')
    return True


if os.path.exists(orders):
    os.remove(orders)
inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
inbox.bind(orders)
GLib.io_add_watch(inbox.fileno(), GLib.IO_IN, take_order)
context.connect('automation-started', started)
Gtk.main()
